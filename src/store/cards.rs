//! The cards of all accounts in one LMDB environment: what FETCH ENVELOPE and BODYSTRUCTURE need without opening a message.
//! Beside a card, once somebody has asked for it, stands the message's preview.
//! Everything in it can be made again from the messages; a card that does not fit its message is made anew.

use crate::base::AccountId;
use crate::maildir::Unique;
use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, WithoutTls};
use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The environment, open while it is used: its mapped pages count as this program's memory.
#[derive(Debug)]
pub struct Cards {
    path: PathBuf,
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    env: Env<WithoutTls>,
    used: Instant,
}

const IDLE: Duration = Duration::from_mins(1);
#[cfg(target_pointer_width = "64")]
const MAP_SIZE: usize = 64 << 30;
#[cfg(not(target_pointer_width = "64"))]
const MAP_SIZE: usize = 256 << 20;

/// In the folder while the environment is open: how often it was so at an end without order.
const MARK: &str = "open";
const ENDS_MAX: u32 = 3;
/// LMDB's page is the system's, which is never smaller.
const PAGE_LEN_MIN: u64 = 4096;

/// CRC and the file's size stand before the card.
const HEAD: usize = 12;

impl Cards {
    /// Cards in this folder; it is made when it is first needed.
    pub const fn new(path: PathBuf) -> Self {
        Self { path, open: Mutex::new(None) }
    }

    fn with<T>(&self, work: impl FnOnce(&Env<WithoutTls>) -> heed::Result<T>) -> Option<T> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.is_none() {
            *open = self.open_or_make().map(|env| Open { env, used: Instant::now() });
        }
        let slot = open.as_mut()?;
        slot.used = Instant::now();
        match work(&slot.env) {
            Ok(value) => Some(value),
            Err(error) => {
                log::warn!("cards={} begun anew: {error}", self.path.display());
                *open = None;
                self.set_aside();
                None
            }
        }
    }

    fn open_or_make(&self) -> Option<Env<WithoutTls>> {
        for attempt in 0..2 {
            let made = std::fs::create_dir_all(&self.path)
                .and_then(|()| self.mark_open())
                .map_err(heed::Error::Io)
                .and_then(|()| open(&self.path))
                .and_then(|env| is_whole(&self.path, &env).map(|()| env));
            match made {
                Ok(env) => return Some(env),
                Err(error) if attempt == 0 => {
                    log::warn!("cards={} unusable, begun anew: {error}", self.path.display());
                    self.set_aside();
                }
                Err(error) => log::error!("cards={} cannot be made: {error}", self.path.display()),
            }
        }
        None
    }

    /// A damaged environment may end the program in the middle of LMDB, where no error is returned. So it is noted that
    /// the environment is open; after several ends without order in a row, it is begun anew, and a box that cannot start
    /// because of its cards heals itself.
    fn mark_open(&self) -> io::Result<()> {
        let mark = self.path.join(MARK);
        let ends: u32 =
            std::fs::read_to_string(&mark).ok().and_then(|n| n.parse().ok()).unwrap_or(0);
        if ends >= ENDS_MAX {
            return Err(io::Error::other(format!("it was open at {ends} ends without order")));
        }
        std::fs::write(mark, (ends + 1).to_string())
    }

    /// Closes the environment in order.
    pub fn close(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.take().is_some()
            && let Err(error) = std::fs::remove_file(self.path.join(MARK))
        {
            log::debug!("cards={} mark not removed: {error}", self.path.display());
        }
    }

    fn set_aside(&self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            log::error!("cards={} cannot be removed: {error}", self.path.display());
        }
    }

    /// The card of a message whose file has this size.
    pub fn read(&self, account: AccountId, email_id: Unique, size: u64) -> Option<Vec<u8>> {
        self.read_all(account, &[(email_id, size)], usize::MAX).pop().flatten()
    }

    /// The cards of several messages in one read transaction, up to `len_max` bytes together.
    pub fn read_all(
        &self,
        account: AccountId,
        wanted: &[(Unique, u64)],
        len_max: usize,
    ) -> Vec<Option<Vec<u8>>> {
        let read = self.with(|env| {
            let cards = database(env)?;
            let transaction = env.read_txn()?;
            let mut left = len_max;
            let one = |&(id, size): &(Unique, u64)| {
                let stored = cards.get(&transaction, &key(account, id))?;
                let card = stored.filter(|stored| stored.len() <= left);
                left -= card.map_or(0, <[u8]>::len);
                Ok(card.and_then(|stored| unseal(stored, size)))
            };
            wanted.iter().map(one).collect::<heed::Result<Vec<_>>>()
        });
        read.unwrap_or_else(|| vec![None; wanted.len()])
    }

    /// Writes cards in one transaction. A failure loses nothing but time.
    pub fn write(&self, account: AccountId, cards: &[(Unique, u64, Vec<u8>)]) {
        self.put(
            cards.iter().map(|(id, size, card)| (key(account, *id).to_vec(), seal(card, *size))),
        );
    }

    /// The preview of a message whose file has this size.
    pub fn read_preview(&self, account: AccountId, email_id: Unique, size: u64) -> Option<Vec<u8>> {
        let read = self.with(|env| {
            let transaction = env.read_txn()?;
            let stored = database(env)?.get(&transaction, &preview_key(account, email_id))?;
            Ok(stored.and_then(|stored| unseal(stored, size)))
        });
        read.flatten()
    }

    /// Writes previews in one transaction. A failure loses nothing but time.
    pub fn write_previews(&self, account: AccountId, previews: &[(Unique, u64, String)]) {
        self.put(previews.iter().map(|(id, size, preview)| {
            (preview_key(account, *id), seal(preview.as_bytes(), *size))
        }));
    }

    fn put(&self, entries: impl Iterator<Item = (Vec<u8>, Vec<u8>)>) {
        self.with(|env| {
            let stored = database(env)?;
            let mut transaction = env.write_txn()?;
            for (key, value) in entries {
                stored.put(&mut transaction, &key, &value)?;
            }
            transaction.commit()
        });
    }

    /// Closes the environment after a minute without use.
    pub fn rest(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = open.as_ref().is_some_and(|slot| slot.used.elapsed() >= IDLE);
        drop(open);
        if idle {
            self.close();
        }
    }
}

/// A file that was cut would end the program where its missing pages are touched.
fn is_whole(path: &Path, env: &Env<WithoutTls>) -> heed::Result<()> {
    let pages = env.info().last_page_number as u64 + 1;
    let len = std::fs::metadata(path.join("data.mdb"))?.len();
    if len < pages * PAGE_LEN_MIN {
        return Err(io::Error::other(format!("{len} bytes are too few for {pages} pages")).into());
    }
    Ok(())
}

/// LMDB maps its file: whoever changes the file beside it changes memory under it.
#[allow(unsafe_code)]
fn open(path: &Path) -> heed::Result<Env<WithoutTls>> {
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(MAP_SIZE).max_readers(64);
    // SAFETY: the folder belongs to this process alone (it holds the data folder's lock), the environment is opened
    // once, and NO_META_SYNC keeps the file consistent: a power cut can only lose the last transactions.
    unsafe { options.flags(EnvFlags::NO_META_SYNC).open(path) }
}

/// The environment's one database, which is always there.
fn database(env: &Env<WithoutTls>) -> heed::Result<Database<'_, Bytes, Bytes>> {
    let opened = env.open_databases_and_commit(env.read_txn()?, |opener, transaction| {
        opener
            .open_database::<Bytes, Bytes>(transaction, None)
            .map(CommitOrAbort::<_, Infallible>::Commit)
    })?;
    opened.commit().flatten().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound).into())
}

fn key(account: AccountId, id: Unique) -> [u8; 12] {
    let mut key = [0; 12];
    let (front, back) = key.split_at_mut(4);
    front.copy_from_slice(&account.0.to_be_bytes());
    back.copy_from_slice(&id.0.to_be_bytes());
    key
}

/// Change the letter with every change of how a preview is made.
fn preview_key(account: AccountId, id: Unique) -> Vec<u8> {
    [&key(account, id)[..], b"p"].concat()
}

fn seal(card: &[u8], size: u64) -> Vec<u8> {
    let body = [&size.to_le_bytes()[..], card].concat();
    [&crc32fast::hash(&body).to_le_bytes()[..], &body].concat()
}

fn unseal(stored: &[u8], size: u64) -> Option<Vec<u8>> {
    let (crc, body) = stored.split_at_checked(4)?;
    let right = crc == crc32fast::hash(body).to_le_bytes() && body.starts_with(&size.to_le_bytes());
    right.then(|| stored.get(HEAD..)).flatten().map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::{Cards, HEAD, seal, unseal};
    use crate::base::AccountId;
    use crate::maildir::Unique;

    #[test]
    fn a_card_of_another_file_or_a_damaged_one_is_none() {
        let sealed = seal(b"card", 7);
        assert_eq!(unseal(&sealed, 7).unwrap(), b"card");
        assert_eq!(unseal(&sealed, 8), None);
        let mut damaged = sealed;
        damaged[13] ^= 1;
        assert_eq!(unseal(&damaged, 7), None);
    }

    #[test]
    fn cards_outlive_the_environment_and_a_broken_one_is_made_anew() {
        let path = std::env::temp_dir().join(format!("pillarbox-cards-{}", std::process::id()));
        let (account, id) = (AccountId(1), Unique(5));
        let cards = Cards::new(path.clone());
        cards.write(account, &[(id, 9, b"one".to_vec())]);
        assert_eq!(cards.read(account, id, 9).unwrap(), b"one");
        assert_eq!(cards.read(AccountId(2), id, 9), None);
        let wanted = [(id, 9), (id, 9), (id, 9)];
        let read = cards.read_all(account, &wanted, 2 * (HEAD + 3));
        assert_eq!(read.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!(cards.read_preview(account, id, 9), None);
        cards.write_previews(account, &[(id, 9, "text".to_owned())]);
        assert_eq!(cards.read_preview(account, id, 9).unwrap(), b"text");
        assert_eq!(cards.read_preview(account, id, 8), None);
        drop(cards);
        let cards = Cards::new(path.clone());
        assert_eq!(cards.read(account, id, 9).unwrap(), b"one");
        drop(cards);
        std::fs::write(path.join("data.mdb"), vec![7; 9000]).unwrap();
        let cards = Cards::new(path.clone());
        assert_eq!(cards.read(account, id, 9), None);
        cards.write(account, &[(id, 9, b"two".to_vec())]);
        assert_eq!(cards.read(account, id, 9).unwrap(), b"two");
        drop(cards);
        std::fs::remove_dir_all(path).unwrap();
    }
}
