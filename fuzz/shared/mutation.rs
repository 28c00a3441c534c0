//! Bad input, made of good input: the same for the same seed, on every machine.

/// SplitMix64 (Steele, Lea, Flood 2014): one number decides all that follows.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n.max(1)).unwrap_or(1)).unwrap_or(0)
    }

    /// Of a part: often a short one.
    fn length(&mut self) -> usize {
        let most = [2, 16, 256].get(self.below(3)).copied().unwrap_or(2);
        self.below(1 + most)
    }

    pub fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> Option<&'a T> {
        let at = self.below(all.len());
        all.get(at).copied()
    }
}

/// What stands in no report of an honest tool, and in every attempt at a dishonest one.
const PIECES: &[&[u8]] = &[
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xc3",
    b"\r\n",
    b"\r",
    b"\n",
    b"\n\n",
    b"\t",
    b"\x1b[31m",
    b"\x1e",
    b"\x1f",
    b"\\u0000",
    b"\\ud800",
    b"\\ud83d\\ude00",
    "\u{202e}".as_bytes(),
    "\u{2028}".as_bytes(),
    "İ".as_bytes(),
    "ǆ".as_bytes(),
    b"null",
    b"true",
    b"NaN",
    b"inf",
    b"-inf",
    b"Infinity",
    b"1e400",
    b"-1e400",
    b"1e308",
    b"5e-324",
    b"1e15",
    b"-0",
    b"-0.0",
    b"-1",
    b"0",
    b"00",
    b"9007199254740993",
    b"9223372036854775807",
    b"9223372036854775808",
    b"-9223372036854775808",
    b"18446744073709551615",
    b"18446744073709551616",
    b"340282366920938463463374607431768211456",
    b"0x10",
    b"1_000",
    b"1,5",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\"",
    b"'",
    b";",
    b"=",
    b"\"\":",
    b"{}",
    b"[]",
    b"[[",
    b"{\"a\":",
    b"\"\"\"",
    b"#",
    b"<",
    b">",
    b"</",
    b"/>",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"<?xml",
    b"<!DOCTYPE a [<!ENTITY b \"c\">]>",
    b"&b;",
    b"&#0;",
    b"&#x110000;",
    b"&amp;",
    b"&lt",
    b"a:b",
    b"xmlns=\"\"",
    b"0001-01-01T00:00:00Z",
    b"9999-12-31T23:59:59.999999999Z",
    b"1969-12-31T23:59:59Z",
    b"2026-02-30T00:00:00Z",
    b"2026-11-24T24:00:00Z",
    b"2016-12-31T23:59:60Z",
    b"-009999-01-01T00:00:00Z",
    b"2026-11-24T21:13:00+25:59",
    b"+99:99",
    b"%",
    b"%00",
    b"%zz",
    b"../",
    b"/",
];

/// What is done to every input, once and in order.
pub fn worst(seed: &[u8]) -> Vec<Vec<u8>> {
    let nested = |begin: &[u8], end: &[u8], deep: usize| [begin.repeat(deep), seed.to_vec(), end.repeat(deep)].concat();
    let mut inputs = vec![
        Vec::new(),
        [b"\xef\xbb\xbf", seed].concat(),
        [seed, b"\0"].concat(),
        [seed, seed].concat(),
        replaced(seed, b"\n", b"\r\n"),
        replaced(seed, b"\n", b""),
        replaced(seed, b"\"", b"'"),
        seed.iter().flat_map(|byte| [*byte, 0]).collect(),
    ];
    for (begin, end) in [("[", "]"), ("{\"a\":", "}"), ("<a>", "</a>"), ("(", ")"), ("a.", ""), ("\"", "\"")] {
        inputs.push(nested(begin.as_bytes(), end.as_bytes(), 100));
        inputs.push(nested(begin.as_bytes(), end.as_bytes(), 5000));
        // Where a value stands, and not around the whole.
        for at in [b':', b'=', b'>'] {
            if let Some(at) = seed.iter().position(|byte| *byte == at) {
                let (before, after) = seed.split_at(at + 1);
                inputs.push([before, begin.repeat(5000).as_bytes(), after].concat());
            }
        }
    }
    inputs
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut now = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(from) {
            now.extend_from_slice(to);
            rest = after;
        } else {
            now.push(*first);
            rest = after;
        }
    }
    now
}

/// One of several inputs, changed in a few places.
pub fn changed(seeds: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let pick = |chance: &mut Chance| seeds.get(chance.below(seeds.len())).map(Vec::as_slice).unwrap_or_default();
    let mut input = pick(chance).to_vec();
    for _ in 0..=chance.below(4) {
        let at = chance.below(input.len() + 1);
        let end = (at + chance.length()).min(input.len());
        match chance.below(9) {
            // Cut off.
            0 => input.truncate(at),
            // Cut out.
            1 => drop(input.drain(at..end)),
            // A bit flipped.
            2 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << chance.below(8);
                }
            }
            // Repeated.
            3 => {
                let part = input.get(at..end).unwrap_or_default().repeat(1 + chance.below(8));
                input.splice(at..at, part);
            }
            // A part of another.
            4 => {
                let other = pick(chance);
                let from = chance.below(other.len() + 1);
                let to = (from + chance.length()).min(other.len());
                let part = other.get(from..to).unwrap_or_default().to_vec();
                input.splice(at..end, part);
            }
            // A number that is another.
            5 => {
                if let Some((from, to)) = number_after(&input, at)
                    && let Some(piece) = chance.of(PIECES)
                {
                    input.splice(from..to, piece.iter().copied());
                }
            }
            // A line, or a field of one, twice.
            6 => {
                let end = at + input.get(at..).unwrap_or_default().iter().position(|byte| b"\n,;".contains(byte)).unwrap_or(0);
                let part = input.get(at..=end).unwrap_or_default().to_vec();
                input.splice(at..at, part);
            }
            // Something put in.
            7 => {
                if let Some(piece) = chance.of(PIECES) {
                    input.splice(at..at, piece.iter().copied());
                }
            }
            // Something put in its place.
            _ => {
                if let Some(piece) = chance.of(PIECES) {
                    input.splice(at..end, piece.iter().copied());
                }
            }
        }
    }
    input
}

fn number_after(input: &[u8], at: usize) -> Option<(usize, usize)> {
    let is_digit = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let from = at + input.get(at..)?.iter().position(is_digit)?;
    let length = input.get(from..)?.iter().take_while(|byte| is_digit(byte)).count();
    Some((from, from + length))
}
