//! How much a condition restricts, as one of four classes.

/// How much a condition block narrows a grant, from nothing to a lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Restriction {
    /// No condition, or one that everybody can meet.
    Void,
    /// Met in normal use: a region, TLS, the own account, a tag that the caller chooses. Treated as no
    /// condition, but noted.
    Weak,
    /// Could not be decided: an unknown operator or key. Treated as strong, and reported as IAM902.
    Unknown,
    /// Met only by some callers, from some places, or for some resources.
    Strong,
}

impl Restriction {
    /// Whether the grant stands in practice without the condition.
    pub fn is_open(self) -> bool {
        self <= Self::Weak
    }

    /// One word for evidence.
    pub fn word(self) -> &'static str {
        match self {
            Self::Void => "void",
            Self::Weak => "weak",
            Self::Unknown => "undecided",
            Self::Strong => "strong",
        }
    }
}
