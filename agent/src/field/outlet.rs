//! A link's way to the engine.

use super::FromField;
use crate::clock;
use andon_core::tag::LinkIndex;
use andon_core::time::Mono;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::timeout;

/// A link that is held up says so at most once in this time.
const SAY_AGAIN_MS: u64 = 60_000;

/// The engine no longer listens.
#[derive(Debug)]
pub struct EngineGone;

/// Why the engine has none of some messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// It cannot keep up now.
    NoRoom,
    /// It no longer listens.
    EngineGone,
}

/// When the engine's channel is full the link waits, so it reads later and less, and says so.
#[derive(Debug)]
pub struct Outlet {
    tx: mpsc::Sender<FromField>,
    link: LinkIndex,
    id: Arc<str>,
    up: Option<bool>,
    said_held_up: Option<Mono>,
}

impl Outlet {
    /// The outlet of one link.
    pub const fn new(tx: mpsc::Sender<FromField>, link: LinkIndex, id: Arc<str>) -> Outlet {
        Outlet {
            tx,
            link,
            id,
            up: None,
            said_held_up: None,
        }
    }

    /// Which link.
    pub const fn link(&self) -> LinkIndex {
        self.link
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Hands the engine a message, waiting while there is no room.
    pub async fn send(&mut self, message: FromField) -> Result<(), EngineGone> {
        match self.tx.try_send(message) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(_)) => Err(EngineGone),
            Err(TrySendError::Full(message)) => {
                self.say_held_up(clock::mono());
                self.tx.send(message).await.map_err(|_| EngineGone)
            }
        }
    }

    /// Hands the engine all of these messages or none: none if there is no room for them within
    /// `patience`.
    pub async fn send_all(
        &mut self,
        messages: Vec<FromField>,
        patience: Duration,
    ) -> Result<(), NotTaken> {
        let tx = self.tx.clone();
        let Ok(room) = timeout(patience, tx.reserve_many(messages.len())).await else {
            self.say_held_up(clock::mono());
            return Err(NotTaken::NoRoom);
        };
        let room = room.map_err(|_| NotTaken::EngineGone)?;
        room.zip(messages)
            .for_each(|(place, message)| place.send(message));
        Ok(())
    }

    /// Tells that the link is up, if that is news.
    pub async fn up(&mut self) -> Result<(), EngineGone> {
        if self.up == Some(true) {
            return Ok(());
        }
        tracing::info!(link = self.id(), "link is up");
        self.tell(true, None).await
    }

    /// Tells that the link is down and why, if that is news.
    pub async fn down(&mut self, why: String) -> Result<(), EngineGone> {
        if self.up == Some(false) {
            return Ok(());
        }
        tracing::warn!(link = self.id(), why, "link is down");
        self.tell(false, Some(why)).await
    }

    async fn tell(&mut self, up: bool, why: Option<String>) -> Result<(), EngineGone> {
        self.up = Some(up);
        let (link, at) = (self.link, clock::mono());
        self.send(FromField::Link { link, at, up, why }).await
    }

    fn say_held_up(&mut self, now: Mono) {
        if self
            .said_held_up
            .is_none_or(|said| now.since(said) >= SAY_AGAIN_MS)
        {
            self.said_held_up = Some(now);
            tracing::warn!(
                link = self.id(),
                "the engine cannot keep up with its links; reading waits for it"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outlet(capacity: usize) -> (Outlet, mpsc::Receiver<FromField>) {
        let (tx, rx) = mpsc::channel(capacity);
        (Outlet::new(tx, LinkIndex(3), "plc".into()), rx)
    }

    fn is_link(message: Option<FromField>, expected: bool) -> bool {
        matches!(message, Some(FromField::Link { link: LinkIndex(3), up, .. }) if up == expected)
    }

    #[tokio::test]
    async fn a_link_is_told_on_change_only() {
        let (mut outlet, mut rx) = outlet(10);
        for _ in 0..3 {
            outlet.up().await.unwrap();
        }
        for _ in 0..3 {
            outlet.down("gone".into()).await.unwrap();
        }
        outlet.up().await.unwrap();
        drop(outlet);
        for up in [true, false, true] {
            assert!(is_link(rx.recv().await, up));
        }
        assert!(rx.recv().await.is_none());
    }

    #[tokio::test]
    async fn a_full_channel_holds_the_link_up_and_loses_nothing() {
        let (mut outlet, mut rx) = outlet(1);
        outlet.up().await.unwrap();
        {
            let second = outlet.down("gone".into());
            tokio::pin!(second);
            let blocked =
                std::future::poll_fn(|cx| std::task::Poll::Ready(second.as_mut().poll(cx)));
            assert!(blocked.await.is_pending());
            assert!(is_link(rx.recv().await, true));
            second.await.unwrap();
        }
        assert!(is_link(rx.recv().await, false));
        assert!(outlet.said_held_up.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn all_of_some_messages_are_taken_or_none() {
        let (mut outlet, mut rx) = outlet(2);
        let message = || FromField::Link {
            link: LinkIndex(3),
            at: clock::mono(),
            up: true,
            why: None,
        };
        let patience = Duration::from_secs(1);
        let two = || vec![message(), message()];
        outlet.send_all(vec![message()], patience).await.unwrap();
        let refused = outlet.send_all(two(), patience).await;
        assert_eq!(refused, Err(NotTaken::NoRoom), "there is room for one");
        assert!(rx.recv().await.is_some());
        assert!(rx.try_recv().is_err(), "nothing of the two was taken");
        outlet.send_all(two(), patience).await.unwrap();
        drop(rx);
        let refused = outlet.send_all(two(), patience).await;
        assert_eq!(refused, Err(NotTaken::EngineGone));
    }

    #[tokio::test]
    async fn without_an_engine_there_is_nobody_to_tell() {
        let (mut outlet, rx) = outlet(1);
        drop(rx);
        assert!(outlet.up().await.is_err());
    }
}
