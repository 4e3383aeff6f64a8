args <- commandArgs(TRUE)
