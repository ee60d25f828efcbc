//! Responses as a client takes them apart.

/// A value of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// An atom, a number, a flag, `BODY[…]` or a response code.
    Atom(String),
    Text(Vec<u8>),
    List(Vec<Value>),
}

impl Value {
    pub fn atom(&self) -> &str {
        match self {
            Self::Atom(atom) => atom,
            other => panic!("no atom: {other:?}"),
        }
    }

    pub fn list(&self) -> &[Value] {
        match self {
            Self::List(list) => list,
            other => panic!("no list: {other:?}"),
        }
    }

    pub fn text(&self) -> &[u8] {
        match self {
            Self::Text(text) => text,
            other => panic!("no string: {other:?}"),
        }
    }
}

/// The next response, its values up to the line end; `None` if there is none.
pub fn next(said: &mut &[u8]) -> Option<Vec<Value>> {
    if said.is_empty() {
        return None;
    }
    let mut values = Vec::new();
    loop {
        if let Some(rest) = said.strip_prefix(b"\r\n") {
            *said = rest;
            return Some(values);
        }
        values.push(value(said));
        if let Some(rest) = said.strip_prefix(b" ") {
            *said = rest;
        }
    }
}

fn value(said: &mut &[u8]) -> Value {
    match said[0] {
        b'(' => {
            *said = &said[1..];
            let mut list = Vec::new();
            while said[0] != b')' {
                list.push(value(said));
                if said[0] == b' ' {
                    *said = &said[1..];
                    assert_ne!(said[0], b')', "a blank before a parenthesis");
                } else {
                    assert_eq!(said[0], b')', "no blank between values");
                }
            }
            *said = &said[1..];
            Value::List(list)
        }
        b'"' => {
            let end = said[1..].iter().position(|b| *b == b'"').unwrap() + 1;
            let text = said[1..end].to_vec();
            *said = &said[end + 1..];
            Value::Text(text)
        }
        b'{' => {
            let end = said.iter().position(|b| *b == b'}').unwrap();
            let len: usize = std::str::from_utf8(&said[1..end]).unwrap().parse().unwrap();
            assert_eq!(&said[end + 1..end + 3], b"\r\n");
            let text = said[end + 3..end + 3 + len].to_vec();
            *said = &said[end + 3 + len..];
            Value::Text(text)
        }
        _ => {
            let (mut end, mut depth) = (0, 0);
            while depth > 0 || !matches!(said[end], b' ' | b')' | b'\r') {
                depth += i32::from(said[end] == b'[') - i32::from(said[end] == b']');
                end += 1;
            }
            let atom = String::from_utf8(said[..end].to_vec()).unwrap();
            *said = &said[end..];
            Value::Atom(atom)
        }
    }
}

/// `2:4,7` as numbers.
pub fn numbers(set: &str) -> Vec<u32> {
    let range = |text: &str| {
        let (first, last) = text.split_once(':').unwrap_or((text, text));
        first.parse::<u32>().unwrap()..=last.parse::<u32>().unwrap()
    };
    set.split(',').flat_map(range).collect()
}
