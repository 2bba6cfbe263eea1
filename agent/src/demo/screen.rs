//! Where the demo writes: a terminal that is redrawn in place, or plain lines.

use rustix::termios::tcgetwinsize;
use std::io::{self, IsTerminal as _, Write};

/// Where the demo writes.
#[derive(Debug)]
pub struct Screen {
    quiet: bool,
    terminal: bool,
    colour: bool,
    /// Lines of the last picture, which the next one replaces.
    drawn: usize,
    closed: bool,
}

impl Screen {
    /// Standard output; with `quiet` standard error, without pictures.
    pub fn new(quiet: bool) -> Screen {
        let terminal = !quiet && io::stdout().is_terminal();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Screen {
            quiet,
            terminal: terminal && !dumb,
            colour: terminal && !dumb && !no_colour,
            drawn: 0,
            closed: false,
        }
    }

    /// Whether pictures can be drawn.
    pub const fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether colours may be used.
    pub const fn has_colour(&self) -> bool {
        self.colour
    }

    /// Whether nobody reads any more, as after `| head`. Standard error may well go nowhere.
    pub const fn is_closed(&self) -> bool {
        self.closed && !self.quiet
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        match tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                (usize::from(size.ws_col), usize::from(size.ws_row))
            }
            _ => (80, 24),
        }
    }

    /// Writes lines below everything drawn, for good.
    pub fn say(&mut self, text: &str) {
        self.drawn = 0;
        let written = if self.quiet {
            writeln!(io::stderr(), "{text}")
        } else {
            writeln!(io::stdout(), "{text}")
        };
        self.closed |= written.is_err();
    }

    /// Replaces the last picture. What does not fit the terminal's height is left out, for what
    /// has scrolled away cannot be replaced.
    pub fn draw(&mut self, picture: &str) {
        let (_, rows) = self.size();
        let lines: Vec<&str> = picture.lines().take(rows.saturating_sub(1)).collect();
        let mut text = String::new();
        if self.drawn > 0 {
            // A terminal made lower meanwhile has lost the upper lines.
            let up = self.drawn.min(rows.saturating_sub(1));
            text.push_str(&format!("\x1b[{up}F"));
        }
        for line in &lines {
            text.push_str(line);
            text.push_str("\x1b[K\n");
        }
        text.push_str("\x1b[J");
        self.drawn = lines.len();
        let mut out = io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        self.closed |= written.is_err();
    }
}
