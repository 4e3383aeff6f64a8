//! The terminal whose lines are rewritten. It may be closed at any time, and what is under way continues.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressDrawTarget, TermLike};
use rustix::termios::tcgetwinsize;

/// As often as a person can follow.
const PER_SECOND: u8 = 20;

/// Lines that are rewritten on stderr, which is a terminal.
pub fn bars() -> MultiProgress {
    MultiProgress::with_draw_target(ProgressDrawTarget::term_like_with_hz(
        Box::<Rewritten>::default(),
        PER_SECOND,
    ))
}

/// What indicatif draws on. It panics where a terminal reports an error, as a closed one does for each write;
/// this one reports none: where nobody looks, nothing has to be seen. Sequences:
/// <https://www.ecma-international.org/publications-and-standards/standards/ecma-48/>.
#[derive(Debug, Default)]
struct Rewritten {
    /// A drawing is written as a whole.
    drawn: Mutex<String>,
}

impl Rewritten {
    fn put(&self, text: &str) {
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
    }

    fn go(&self, by: usize, direction: char) -> io::Result<()> {
        if by > 0 {
            self.put(&format!("\u{1b}[{by}{direction}"));
        }
        Ok(())
    }
}

/// Rows and columns of stderr, or as many as a terminal usually has.
fn size() -> (u16, u16) {
    match tcgetwinsize(io::stderr()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => (size.ws_row, size.ws_col),
        _ => (24, 80),
    }
}

impl TermLike for Rewritten {
    fn width(&self) -> u16 {
        size().1
    }

    fn height(&self) -> u16 {
        size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.go(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.go(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.go(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.go(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.put(text);
        self.put("\n");
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.put(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.put("\r\u{1b}[2K");
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let drawn = std::mem::take(&mut *self.drawn.lock().unwrap_or_else(PoisonError::into_inner));
        let mut stderr = io::stderr().lock();
        let _ = stderr.write_all(drawn.as_bytes()).and_then(|()| stderr.flush());
        Ok(())
    }
}
