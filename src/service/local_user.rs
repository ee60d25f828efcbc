//! The users of this machine, by /etc/passwd (passwd(5)). Whoever administers the machine controls it, and each user the own
//! full name in it.

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalUser {
    /// Its number.
    pub uid: u32,
    /// The name by which it logs in; `uid-1000` if it has none that mail can have.
    pub name: String,
    /// The full name; empty if there is none.
    pub full_name: String,
}

impl LocalUser {
    /// The user of this number. Blocks.
    pub fn of(uid: u32) -> Self {
        let text = std::fs::read("/etc/passwd").unwrap_or_else(|error| {
            log::warn!("/etc/passwd cannot be read, so users are named by their numbers: {error}");
            Vec::new()
        });
        Self::find(&String::from_utf8_lossy(&text), uid)
    }

    /// As `of`, in the text of that file.
    fn find(passwd: &str, uid: u32) -> Self {
        let mut lines = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let found = lines.find_map(|fields| match fields.as_slice() {
            [name, _, number, _, gecos, ..] if number.parse() == Ok(uid) => {
                Some(((*name).to_owned(), full_name(gecos, name)))
            }
            _ => None,
        });
        // What follows a `+` would be a detail, and the rest somebody else's name.
        let fit = |name: &String| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && b != b'+')
        };
        match found.filter(|(name, _)| fit(name)) {
            Some((name, full_name)) => Self { uid, name, full_name },
            None => Self { uid, name: format!("uid-{uid}"), full_name: String::new() },
        }
    }
}

/// The first of the fields that chfn(1) sets; `&` stands for the login name with a capital.
fn full_name(gecos: &str, name: &str) -> String {
    let mut chars = name.chars();
    let capital: String =
        chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect();
    gecos.split(',').next().unwrap_or_default().replace('&', &capital)
}

#[cfg(test)]
mod tests {
    use super::LocalUser;

    #[test]
    fn users_of_a_file() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\n# comment\n\nann:x:1000:1000:Ann Éxample,,,:/home/ann:/bin/sh\nbob:x:1001:1001:& Smith:/:/\nbad:x:y:0::/:/\nann2:x:1000:1:second::\nodd name:x:7:7:::\nann+x:x:8:8:::\n";
        for (uid, name, full_name) in [
            (0, "root", "root"),
            (1000, "ann", "Ann Éxample"),
            (1001, "bob", "Bob Smith"),
            (7, "uid-7", ""),
            (8, "uid-8", ""),
            (5, "uid-5", ""),
        ] {
            let user = LocalUser::find(passwd, uid);
            assert_eq!((user.name.as_str(), user.full_name.as_str()), (name, full_name));
        }
        assert_eq!(LocalUser::find("", 3).name, "uid-3");
    }
}
