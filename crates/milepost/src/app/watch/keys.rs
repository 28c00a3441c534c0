//! From the bytes that a terminal sends to keys. What is no key that means something here is passed over, whatever it is.

use crate::render::watch::Key;

/// An escape sequence that goes on for longer is none.
const SEQUENCE_BYTES_MAX: usize = 32;
const ESCAPE: u8 = 0x1b;

/// The keys in what was read. What may be the beginning of one is left for the next call, unless nothing followed it in time.
pub(super) fn keys(read: &mut Vec<u8>, nothing_follows: bool) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut rest = &read[..];
    while !rest.is_empty() {
        match first(rest) {
            First::Key(key, length) => {
                keys.extend(key);
                rest = rest.get(length..).unwrap_or_default();
            }
            First::Unfinished if nothing_follows => {
                if rest.first() == Some(&ESCAPE) {
                    keys.push(Key::Escape);
                }
                rest = rest.get(1..).unwrap_or_default();
            }
            First::Unfinished => break,
        }
    }
    *read = rest.to_vec();
    keys
}

enum First {
    /// A key, if it is one of ours, and how many bytes it takes.
    Key(Option<Key>, usize),
    /// More bytes have to come.
    Unfinished,
}

fn first(bytes: &[u8]) -> First {
    match bytes {
        [ESCAPE] => First::Unfinished,
        [ESCAPE, b'[', rest @ ..] => control_sequence(rest),
        // The cursor keys of a terminal in application mode.
        [ESCAPE, b'O'] => First::Unfinished,
        [ESCAPE, b'O', b'M', ..] => First::Key(Some(Key::Enter), 3),
        [ESCAPE, b'O', last, ..] => First::Key(by_letter(*last), 3),
        [ESCAPE, ..] => First::Key(Some(Key::Escape), 1),
        [b'\r' | b'\n', ..] => First::Key(Some(Key::Enter), 1),
        [0x7f | 0x08, ..] => First::Key(Some(Key::Backspace), 1),
        [byte, ..] if byte.is_ascii() => First::Key((!byte.is_ascii_control()).then_some(Key::Char(char::from(*byte))), 1),
        bytes => character(bytes),
    }
}

/// What follows `ESC [`: parameters, and a last byte from `@` on.
fn control_sequence(rest: &[u8]) -> First {
    let Some(at) = rest.iter().take(SEQUENCE_BYTES_MAX).position(|byte| (0x40..=0x7e).contains(byte)) else {
        return if rest.len() < SEQUENCE_BYTES_MAX { First::Unfinished } else { First::Key(None, 2 + SEQUENCE_BYTES_MAX) };
    };
    let (parameters, last) = rest.split_at(at);
    // Behind a semicolon stands which of Shift, Alt and Ctrl were held.
    let number = parameters.split(|byte| *byte == b';').next().unwrap_or_default();
    let key = match (last.first(), number) {
        (Some(b'~'), b"1" | b"7") => Some(Key::Home),
        (Some(b'~'), b"4" | b"8") => Some(Key::End),
        (Some(b'~'), b"5") => Some(Key::PageUp),
        (Some(b'~'), b"6") => Some(Key::PageDown),
        (Some(letter), _) => by_letter(*letter),
        _ => None,
    };
    First::Key(key, 2 + at + 1)
}

const fn by_letter(letter: u8) -> Option<Key> {
    match letter {
        b'A' => Some(Key::Up),
        b'B' => Some(Key::Down),
        b'H' => Some(Key::Home),
        b'F' => Some(Key::End),
        _ => None,
    }
}

/// A character of several bytes.
fn character(bytes: &[u8]) -> First {
    let Some(chunk) = bytes.utf8_chunks().next() else { return First::Unfinished };
    match chunk.valid().chars().next() {
        Some(character) => First::Key((!character.is_control()).then_some(Key::Char(character)), character.len_utf8()),
        // Cut off at the end of what was read; anywhere else it is no character.
        None if chunk.invalid().len() == bytes.len()
            && bytes.len() < 4
            && std::str::from_utf8(bytes).is_err_and(|e| e.error_len().is_none()) =>
        {
            First::Unfinished
        }
        None => First::Key(None, chunk.invalid().len().max(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_keys() {
        for (bytes, expected) in [
            (&b"jk"[..], &[Key::Char('j'), Key::Char('k')][..]),
            (b"\x1b[A\x1b[B\x1bOA\x1bOB", &[Key::Up, Key::Down, Key::Up, Key::Down]),
            (b"\x1b[5~\x1b[6~\x1b[H\x1b[F\x1b[1~\x1b[4~", &[Key::PageUp, Key::PageDown, Key::Home, Key::End, Key::Home, Key::End]),
            (b"\x1b[1;5A", &[Key::Up]),
            (b"\r\n\x7f\x08", &[Key::Enter, Key::Enter, Key::Backspace, Key::Backspace]),
            (b"\x1b", &[Key::Escape]),
            (b"\x1bj", &[Key::Escape, Key::Char('j')]),
            (b"\x1b\x1b[A", &[Key::Escape, Key::Up]),
            // Mouse, focus, paste, a report of the cursor: not for us.
            (b"\x1b[<0;3;4M\x1b[I\x1b[200~\x1b[24;80Rq", &[Key::Char('q')]),
            ("é漢".as_bytes(), &[Key::Char('é'), Key::Char('漢')]),
            (b"\xff\xfe\0\x01q\xe6\xbc", &[Key::Char('q')]),
        ] {
            assert_eq!(keys(&mut bytes.to_vec(), true), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_key_may_come_in_pieces() {
        for whole in [&b"\x1b[5~"[..], b"\x1bOA", "漢".as_bytes()] {
            let (mut read, mut found) = (Vec::new(), Vec::new());
            for byte in whole {
                read.push(*byte);
                found.extend(keys(&mut read, false));
            }
            assert_eq!((found.len(), read.len()), (1, 0), "{whole:?}");
        }
    }

    #[test]
    fn a_sequence_without_an_end_is_passed_over() {
        let mut read = [b"\x1b[".to_vec(), vec![b'1'; 10_000], b"q".to_vec()].concat();
        assert_eq!(keys(&mut read, false).last(), Some(&Key::Char('q')));
        assert!(read.is_empty());
    }
}
