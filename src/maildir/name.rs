//! A message's file name: `SECONDS.UNIQUE.pillarbox,S=SIZE,P=UID.V[,Z=+0200][,B][,E=UNIQUE]:2,FLAGS`.
//! Everything that a client can notice of a message, but its text, stands in it. Other programs put files beside ours
//! and rename ours, so any bytes may come; a name that is not understood is kept as it is.

use super::flags::Flags;
use super::ids::{Uid, UidValidity, Unique};

/// A parsed name. `stem` is all before `:2,`; it is kept as found, so that a rename loses nothing of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName {
    stem: Vec<u8>,
    /// Flags by the letters after the first `:2,`, whatever their order or number.
    pub flags: Flags,
}

/// What our own stem is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stem {
    /// INTERNALDATE, seconds since 1970.
    pub seconds: i64,
    /// The message's EMAILID.
    pub unique: Unique,
    /// Bytes of the file.
    pub size: u64,
    /// Where it is.
    pub uid: Uid,
    /// The mailbox's UIDVALIDITY when the UID was given.
    pub validity: UidValidity,
    /// INTERNALDATE's zone, minutes east.
    pub zone: i16,
    /// The message has a NUL in it (field `B`).
    pub nul: bool,
}

const INFO: &[u8] = b":2,";
/// Stands where other programs have the name of their machine.
const HOST: &str = "pillarbox";

impl Stem {
    /// The text of the stem.
    pub fn text(&self) -> Vec<u8> {
        let Self { seconds, unique, size, uid, validity, .. } = self;
        let mut text =
            format!("{seconds}.x{}.{HOST},S={size},P={uid}.{}", unique.hex(), validity.base36());
        push_zone(&mut text, self.zone);
        if self.nul {
            text.push_str(",B");
        }
        text.into_bytes()
    }
}

fn push_zone(text: &mut String, zone: i16) {
    if zone != 0 {
        let sign = if zone < 0 { '-' } else { '+' };
        let minutes = zone.unsigned_abs();
        text.push_str(&format!(",Z={sign}{:02}{:02}", minutes / 60, minutes % 60));
    }
}

impl FileName {
    /// Reads any name. Never fails: what has no field of ours is simply a stem.
    pub fn parse(name: &[u8]) -> Self {
        let info = name.windows(INFO.len()).position(|w| w == INFO);
        let (stem, letters) = match info {
            Some(at) => name.split_at(at),
            None => (name, &[][..]),
        };
        Self { stem: stem.to_vec(), flags: Flags::from_letters(letters) }
    }

    /// From a stem that is known already.
    pub const fn new(stem: Vec<u8>, flags: Flags) -> Self {
        Self { stem, flags }
    }

    /// Everything before `:2,`.
    pub fn stem(&self) -> &[u8] {
        &self.stem
    }

    /// The name for `cur/`, letters in order.
    pub fn in_cur(&self) -> Vec<u8> {
        in_cur(&self.stem, self.flags)
    }

    /// Up to the first `,` or `:`; what stays the same when another program renames or copies the file.
    pub fn base(&self) -> &[u8] {
        base(&self.stem)
    }

    fn fields(&self) -> impl Iterator<Item = &[u8]> {
        self.stem.split(|&b| b == b',').skip(1)
    }

    fn field(&self, key: &[u8]) -> Option<&str> {
        self.fields().find_map(|f| f.strip_prefix(key)).and_then(|v| std::str::from_utf8(v).ok())
    }

    /// `S=`: the file's size in bytes, as its writer said.
    pub fn size(&self) -> Option<u64> {
        self.field(b"S=")?.parse().ok()
    }

    /// `P=`: the UID and for which UIDVALIDITY it was given.
    pub fn place(&self) -> Option<(Uid, UidValidity)> {
        let (uid, validity) = self.field(b"P=")?.split_once('.')?;
        let uid = uid.parse().ok().filter(|&u| u > 0)?;
        Some((Uid(uid), UidValidity::from_base36(validity)?))
    }

    /// `Z=`: INTERNALDATE's zone in minutes east; 0 if there is none.
    pub fn zone(&self) -> i16 {
        let zone = || {
            let text = self.field(b"Z=")?;
            let (sign, digits) = text.split_at_checked(1)?;
            let (hours, minutes) = digits.split_at_checked(2)?;
            let minutes = hours.parse::<i16>().ok()? * 60 + minutes.parse::<i16>().ok()?;
            match sign {
                "-" => Some(-minutes),
                "+" => Some(minutes),
                _ => None,
            }
        };
        zone().unwrap_or(0)
    }

    /// `B`: the message has a NUL in it, so zeros in the file do not mean a write that was cut off.
    pub fn has_nul(&self) -> bool {
        self.fields().any(|f| f == b"B")
    }

    /// EMAILID: the UNIQUE of a base that is ours, else the one given at adoption (`E=`).
    pub fn email_id(&self) -> Option<Unique> {
        self.own_unique().or_else(|| Unique::from_hex(self.field(b"E=")?.strip_prefix('x')?))
    }

    /// The UNIQUE of a base that this program has made.
    pub fn own_unique(&self) -> Option<Unique> {
        let (_, unique, _host) = self.base_parts()?;
        Unique::from_hex(std::str::from_utf8(unique).ok()?.strip_prefix('x')?)
    }

    /// Is it the name of the message that this program made of these, wherever it is now?
    pub fn is_ours_of(&self, seconds: i64, unique: Unique) -> bool {
        self.base_parts().is_some_and(|(_, _, host)| host == HOST.as_bytes())
            && (self.own_unique(), self.seconds()) == (Some(unique), Some(seconds))
    }

    /// Seconds, UNIQUE and host, where there are three.
    fn base_parts(&self) -> Option<(&[u8], &[u8], &[u8])> {
        let mut parts = self.base().splitn(3, |&b| b == b'.');
        Some((parts.next()?, parts.next()?, parts.next()?))
    }

    /// INTERNALDATE by the name: the digits that it begins with.
    pub fn seconds(&self) -> Option<i64> {
        let digits = self.base().split(|&b| b == b'.').next()?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    /// Our own parts, if the whole stem is exactly as we write it: then the index need not keep it.
    pub fn as_ours(&self) -> Option<Stem> {
        let (uid, validity) = self.place()?;
        let stem = Stem {
            seconds: self.seconds()?,
            unique: self.own_unique()?,
            size: self.size()?,
            uid,
            validity,
            zone: self.zone(),
            nul: self.has_nul(),
        };
        (stem.text() == self.stem).then_some(stem)
    }

    /// The stem of the same message in another place: base and others' fields kept, ours set anew, `,U=` left out
    /// when the folder changes (mbsync stops at one number twice in a folder).
    pub fn stem_for(&self, place: &Placing) -> Vec<u8> {
        let ours = |f: &[u8]| {
            f == b"B" || [&b"S="[..], b"P=", b"Z=", b"E="].iter().any(|key| f.starts_with(key))
        };
        let kept = |f: &&[u8]| !ours(f) && (place.folder == Folder::Same || !f.starts_with(b"U="));
        let mut stem = self.base().to_vec();
        let mut fields = format!(",S={},P={}.{}", place.size, place.uid, place.validity.base36());
        push_zone(&mut fields, place.zone);
        if place.nul {
            fields.push_str(",B");
        }
        if self.own_unique().is_none() {
            fields.push_str(&format!(",E=x{}", place.email_id.hex()));
        }
        stem.extend_from_slice(fields.as_bytes());
        for field in self.fields().filter(kept) {
            stem.push(b',');
            stem.extend_from_slice(field);
        }
        stem
    }
}

/// Where a message goes and what its name must say there.
#[derive(Debug, Clone, Copy)]
pub struct Placing {
    /// The file's true size in bytes.
    pub size: u64,
    /// The UID there.
    pub uid: Uid,
    /// The mailbox's UIDVALIDITY.
    pub validity: UidValidity,
    /// INTERNALDATE's zone, minutes east.
    pub zone: i16,
    /// A NUL in the message.
    pub nul: bool,
    /// Its EMAILID; written as `E=` if the base is not ours.
    pub email_id: Unique,
    /// Does it stay in its folder under its own name?
    pub folder: Folder,
}

/// Whether a new name is for the folder that the file is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folder {
    /// A rename within the folder.
    Same,
    /// A move, or a copy to anywhere.
    Other,
}

/// A stem and flags as a name for `cur/`.
pub fn in_cur(stem: &[u8], flags: Flags) -> Vec<u8> {
    [stem, INFO, flags.letters().as_bytes()].concat()
}

/// Up to the first `,` or `:` of a name or a stem.
pub fn base(name: &[u8]) -> &[u8] {
    name.split(|&b| b == b',' || b == b':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{FileName, Flags, Folder, Placing, Stem, Uid, UidValidity, Unique};

    const OURS: &[u8] =
        b"1732512345.x0006276a0d1f2c3b.pillarbox,S=4096,P=17.sk8d2x,Z=-0330,B:2,FSa";

    #[test]
    fn our_own_name_reads_back() {
        let name = FileName::parse(OURS);
        let stem = name.as_ours().unwrap();
        assert_eq!(
            stem,
            Stem {
                seconds: 1_732_512_345,
                unique: Unique(0x0006_276a_0d1f_2c3b),
                size: 4096,
                uid: Uid(17),
                validity: UidValidity::from_base36("sk8d2x").unwrap(),
                zone: -210,
                nul: true,
            }
        );
        assert_eq!(name.in_cur(), OURS);
        assert_eq!(name.flags.letters(), "FSa");
        assert_eq!(name.email_id(), Some(stem.unique));
    }

    #[test]
    fn other_programs_names_are_kept() {
        // procmail and mutt leave `new/` files bare; Dovecot adds W=; mbsync adds U=.
        let name = FileName::parse(b"1204680122.27c448.murgatroyd,U=9,W=1234:2,SR:2,F");
        assert_eq!((name.place(), name.as_ours(), name.email_id()), (None, None, None));
        assert_eq!((name.seconds(), name.zone()), (Some(1_204_680_122), 0));
        assert_eq!(name.flags.letters(), "FRS");
        let mut place = Placing {
            size: 7,
            uid: Uid(3),
            validity: UidValidity(36),
            zone: 120,
            nul: false,
            email_id: Unique(1),
            folder: Folder::Same,
        };
        let adopted = FileName::new(name.stem_for(&place), name.flags);
        assert_eq!(
            adopted.in_cur(),
            b"1204680122.27c448.murgatroyd,S=7,P=3.10,Z=+0200,E=x0000000000000001,U=9,W=1234:2,FRS"
        );
        assert_eq!(adopted.place(), Some((Uid(3), UidValidity(36))));
        assert_eq!(adopted.email_id(), Some(Unique(1)));
        place.folder = Folder::Other;
        assert!(!adopted.stem_for(&place).windows(2).any(|w| w == b"U="));
    }

    #[test]
    fn any_bytes_are_a_name() {
        for bytes in
            [&b""[..], b":2,", b"\xff\xfe,P=0.1,S=x", b",,,:", b"1.x.h,P=1.Z", b"a:2,b:2,S"]
        {
            let name = FileName::parse(bytes);
            assert_eq!(FileName::parse(&name.in_cur()).flags, name.flags);
            assert_eq!(name.place(), None);
        }
        assert_eq!(Flags::from_letters(b"").letters(), "");
    }
}
