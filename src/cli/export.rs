//! `pillarbox export`: an account's mail as a Maildir that Dovecot takes over, with the UIDs that phones know.

use super::command::{Command, Stop};
use super::export_folder::{ExportFolder, FolderError, keywords_for_dovecot};
use super::progress::Progress;
use super::server::Server;
use super::show;
use crate::daemon::{
    Chunk, ExportHead, ExportStep, MailboxHead, MessageRow, Request, Said, Transfer,
};
use crate::maildir::{Dir, MailboxName, dovecot};
use argh::FromArgs;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Write someone's mail as a Maildir that Dovecot takes over.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "export")]
pub struct ExportWords {
    /// an address of the one whose mail it is
    #[argh(positional)]
    user: String,
    /// a new or empty folder, or one that an export was cut off in
    #[argh(positional)]
    path: PathBuf,
    /// print the summary as one line of JSON
    #[argh(switch)]
    json: bool,
    /// the settings of the server (default: /etc/pillarbox/pillarbox.toml)
    #[argh(option)]
    config: Option<PathBuf>,
    /// instead: the folder of a server that was started by `try`
    #[argh(option)]
    dir: Option<PathBuf>,
}

impl Command for ExportWords {
    fn run(self) -> Result<(), Stop> {
        let server = Server::find(self.config.as_deref(), self.dir.as_deref())?;
        let mut transfer = server.transfer(&Request::Export { user: self.user })?;
        let head = match transfer.hear::<Said<ExportHead>>().map_err(|error| lost(&error))? {
            Some(Said::Done(head)) => head,
            Some(Said::Failed(why)) => return Err(Stop::Failed(why)),
            None => return Err(lost(&io::ErrorKind::UnexpectedEof.into())),
        };
        let root = open(&self.path, head.account)?;
        let keywords = keywords_for_dovecot(&head.keywords);
        let mut export = Export {
            path: self.path,
            root,
            keywords,
            transfer,
            progress: Progress::new(),
            summary: Summary::default(),
            done: 0,
            taken: BTreeSet::new(),
        };
        export.progress.expect(head.messages);
        export.all()?;
        export.finish(&head.subscriptions, self.json)
    }
}

/// Lies in the folder while the export is not whole: only a folder with it, or an empty one, is written into.
const MARK: &[u8] = b"pillarbox-export";
const TEXT_MAX: u64 = 1000;

fn open(path: &Path, account: u32) -> Result<Dir, Stop> {
    let named = |error: io::Error| Stop::Failed(format!("{}: {error}", path.display()));
    let root = Dir::make_path(path).map_err(named)?;
    let mark = format!("pillarbox-export 1\naccount {account}\n");
    match root.read_text(MARK, TEXT_MAX).map_err(named)? {
        Some(text) if text == mark => return Ok(root),
        Some(_) => {
            return Err(Stop::Failed(format!(
                "{} has an unfinished export of another account; both would be mixed. Give another folder",
                path.display()
            )));
        }
        None => {}
    }
    if !root.list().map_err(named)?.is_empty() {
        return Err(Stop::Failed(format!(
            "{} is not empty, and what is there is not overwritten. Give a new folder",
            path.display()
        )));
    }
    let written = root.create(MARK).and_then(|mut file| file.write_all(mark.as_bytes()));
    written.map_err(named)?;
    Ok(root)
}

struct Export {
    path: PathBuf,
    root: Dir,
    keywords: BTreeMap<u8, String>,
    transfer: Transfer,
    progress: Progress,
    summary: Summary,
    done: u64,
    /// Folders that were given to a mailbox.
    taken: BTreeSet<String>,
}

#[derive(Debug, Default, Serialize)]
struct Summary {
    exported: u64,
    exported_bytes: u64,
    already_there: u64,
    not_exported: u64,
    mailboxes: Vec<Mailbox>,
}

#[derive(Debug, Serialize)]
struct Mailbox {
    name: String,
    folder: String,
    exported: u64,
    already_there: u64,
    not_exported: u64,
}

impl Export {
    fn all(&mut self) -> Result<(), Stop> {
        let mut open: Option<ExportFolder> = None;
        loop {
            let step = self.transfer.hear().map_err(|error| lost(&error))?;
            match step.ok_or_else(|| lost(&io::ErrorKind::UnexpectedEof.into()))? {
                ExportStep::Mailbox(head) => {
                    self.close(open.take())?;
                    open = Some(self.enter(&head)?);
                }
                ExportStep::Rows(rows) => match &mut open {
                    Some(folder) => self.rows(folder, &rows)?,
                    None => return Err(lost(&io::ErrorKind::InvalidData.into())),
                },
                ExportStep::End => return self.close(open),
                ExportStep::Failed(why) => {
                    return Err(Stop::Failed(format!("the export cannot go on: {why}. {AGAIN}")));
                }
            }
        }
    }

    fn enter(&mut self, head: &MailboxHead) -> Result<ExportFolder, Stop> {
        let folder = self.folder_for(&head.name)?;
        self.summary.mailboxes.push(Mailbox {
            name: head.name.clone(),
            folder: folder.clone(),
            exported: 0,
            already_there: 0,
            not_exported: 0,
        });
        let dir = match folder.as_str() {
            "." => Ok(self.root.clone()),
            name => self.root.make_folder(name.as_bytes()),
        };
        let opened = dir.map_err(FolderError::Io);
        opened
            .and_then(|dir| ExportFolder::open(dir, head, &self.keywords))
            .map_err(|error| self.failed(&error))
    }

    /// The folder for a mailbox. Dovecot has no dot within a level, so that becomes `_`.
    fn folder_for(&mut self, name: &str) -> Result<String, Stop> {
        let mut plain = name.replace('.', "_");
        loop {
            let named = MailboxName::new(&plain)
                .map_err(|error| Stop::Failed(format!("{name} cannot be exported: {error}")))?;
            let folder = named.folder();
            if self.taken.insert(folder.clone()) {
                return Ok(folder);
            }
            plain.push('_');
        }
    }

    fn rows(&mut self, folder: &mut ExportFolder, rows: &[MessageRow]) -> Result<(), Stop> {
        let mut wanted = Vec::new();
        for row in rows {
            if !folder.has(row).map_err(|error| self.failed(&error))? {
                wanted.push(row.uid);
            }
        }
        let said = self.transfer.say(&wanted).and_then(|()| self.transfer.flush());
        said.map_err(|error| lost(&error))?;
        for row in rows {
            let there = wanted.binary_search(&row.uid).is_err();
            let whole = there || self.message(folder, row)?;
            if whole {
                folder.list(row).map_err(|error| self.failed(&error))?;
            }
            self.count(row, there, whole);
        }
        Ok(())
    }

    /// Receives a message; false if the server cannot give it.
    fn message(&mut self, folder: &ExportFolder, row: &MessageRow) -> Result<bool, Stop> {
        let mut file = folder.begin(row).map_err(|error| self.failed(&error))?;
        let mut buffer = Vec::new();
        loop {
            match self.transfer.receive(&mut buffer).map_err(|error| lost(&error))? {
                Chunk::Piece => {
                    let written = file.write(&buffer);
                    written.map_err(|error| self.failed(&FolderError::Io(error)))?;
                }
                Chunk::End => {
                    folder.finish(row, file).map_err(|error| self.failed(&error))?;
                    return Ok(true);
                }
                Chunk::Broken => {
                    folder.abandon(&file).map_err(|error| self.failed(&error))?;
                    return Ok(false);
                }
            }
        }
    }

    fn count(&mut self, row: &MessageRow, there: bool, whole: bool) {
        let name = self.summary.mailboxes.last().map(|mailbox| mailbox.name.clone());
        if !whole {
            self.progress.clear();
            show::talk(&format!(
                "not exported: UID {} of {}: it was deleted meanwhile, or cannot be read (the server's log says why)",
                row.uid,
                name.unwrap_or_default()
            ));
        }
        let summary = &mut self.summary;
        let Some(mailbox) = summary.mailboxes.last_mut() else { return };
        let (all, one) = match (there, whole) {
            (true, _) => (&mut summary.already_there, &mut mailbox.already_there),
            (false, true) => (&mut summary.exported, &mut mailbox.exported),
            (false, false) => (&mut summary.not_exported, &mut mailbox.not_exported),
        };
        (*all, *one) = (*all + 1, *one + 1);
        if !there && whole {
            summary.exported_bytes += row.size;
        }
        self.done += 1;
        self.progress.at(self.done, self.done);
    }

    fn close(&self, folder: Option<ExportFolder>) -> Result<(), Stop> {
        folder.map_or(Ok(()), ExportFolder::close).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &FolderError) -> Stop {
        let folder = self.summary.mailboxes.last().map_or(".", |mailbox| &mailbox.folder);
        Stop::Failed(format!("{}: {error}", self.path.join(folder).display()))
    }

    /// All is on the disk before the mark goes that says that it is not.
    fn finish(mut self, subscriptions: &[String], json: bool) -> Result<(), Stop> {
        self.progress.clear();
        let names = subscriptions.iter().map(|name| name.replace('.', "_"));
        let names: Vec<String> = names.collect();
        let text = dovecot::subscriptions_text_for_others(names.iter().map(String::as_str));
        let mut ended = self.root.replace(b"subscriptions", text.as_bytes());
        ended = ended.and_then(|()| self.root.sync_file_system());
        if self.summary.not_exported == 0 {
            ended = ended.and_then(|()| self.root.unlink(MARK)).and_then(|()| self.root.sync());
        }
        ended.map_err(|error| self.failed(&FolderError::Io(error)))?;
        if json {
            show::json(&self.summary)?;
        } else {
            show::data(&self.summary.text(&self.path));
        }
        match self.summary.not_exported {
            0 => Ok(()),
            count => {
                Err(Stop::Failed(format!("messages that were not exported: {count}. {AGAIN}")))
            }
        }
    }
}

impl Summary {
    fn text(&self, path: &Path) -> String {
        let row = |mailbox: &Mailbox| {
            let Mailbox { name, folder, exported, already_there, not_exported } = mailbox;
            let counts = [exported, already_there, not_exported].map(ToString::to_string);
            [vec![name.clone(), folder.clone()], counts.to_vec()].concat()
        };
        let rows: Vec<_> = self.mailboxes.iter().map(row).collect();
        let mut text =
            show::table(&["mailbox", "folder", "exported", "already there", "not exported"], &rows);
        text.push_str(&format!(
            "\n{} messages exported ({}), {} already there. Dovecot takes it with mail_location = maildir:{}\n",
            self.exported,
            show::size(self.exported_bytes),
            self.already_there,
            path.display()
        ));
        text
    }
}

fn lost(error: &io::Error) -> Stop {
    Stop::Unreachable(format!("the server is gone in the middle ({error}). {AGAIN}"))
}

const AGAIN: &str = "Run the same command again: it goes on where it was";
