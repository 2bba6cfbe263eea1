//! Mail to people: one mail for each, over one connection for each.

mod smtp;
mod test;
mod text;

pub use test::{Options, command};

use super::{Message, Told};
use crate::settings::{Mail, Mailbox};

/// Sends a message to a mailbox; what became of it.
pub(crate) async fn send(mail: &Mail, to: &Mailbox, message: &Message) -> Told {
    let text = text::mail(message, &mail.from, to);
    smtp::submit(mail, &to.address, &text).await
}
