//! The body of an answer, out of the bytes that carry it (RFC 9112, 6 and 7).
//!
//! Pure: bytes in, frames out. As strict as hyper, against which the tests compare it.

use bytes::{Buf as _, Bytes, BytesMut};
use http::HeaderMap;

use super::head::trailers;

/// What all chunk extensions of a body, which nobody reads, may take.
const MAX_EXTENSIONS: usize = 16 * 1024;

/// What the trailer section of a body may take.
const MAX_TRAILERS: usize = 16 * 1024;

/// How the end of a body is known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decoder {
    /// So many bytes are left.
    Length(u64),
    /// Chunks tell their lengths.
    Chunked(Chunked),
    /// The connection ends.
    UntilClose,
}

/// How far a chunked body was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Chunked {
    place: Place,
    /// Of the chunk that is read: how long it is, then what is left of it.
    left: u64,
    /// How long the extensions were so far.
    extensions: usize,
    /// The trailer section so far.
    trailers: Vec<u8>,
}

/// What the next byte of a chunked body is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    FirstDigit,
    Digit,
    AfterSize,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// In the trailer section.
    Line,
    LineLf,
    LastLf,
    End,
}

/// What the bytes that are there come to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// They are not enough.
    More,
    /// A part of the body.
    Data(Bytes),
    /// The last part of the body.
    Trailers(HeaderMap),
    /// The body is over.
    End,
}

/// Why bytes are no body.
pub(crate) type Flaw = &'static str;

impl Decoder {
    pub(crate) fn chunked() -> Self {
        Self::Chunked(Chunked::default())
    }

    /// Whether the body is over, as far as is known without another byte.
    pub(super) const fn is_ended(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunked) => matches!(chunked.place, Place::End),
            Self::UntilClose => false,
        }
    }

    /// Takes the next part of the body out of `bytes`.
    pub(crate) fn step(&mut self, bytes: &mut BytesMut) -> Result<Step, Flaw> {
        match self {
            Self::Length(0) => Ok(Step::End),
            Self::Length(left) => Ok(data(bytes, left)),
            Self::Chunked(chunked) => chunked.step(bytes),
            Self::UntilClose => Ok(data(bytes, &mut { u64::MAX })),
        }
    }

    /// The connection ended: whether the body did so too.
    pub(super) const fn close(&self) -> Result<(), Flaw> {
        match self {
            Self::UntilClose => Ok(()),
            Self::Length(_) | Self::Chunked(_) => Err("the answer breaks off"),
        }
    }
}

/// At most `left` of `bytes`.
fn data(bytes: &mut BytesMut, left: &mut u64) -> Step {
    if bytes.is_empty() {
        return Step::More;
    }
    let fits = usize::try_from(*left).unwrap_or(usize::MAX);
    let data = bytes.split_to(bytes.len().min(fits)).freeze();
    *left -= data.len() as u64;
    Step::Data(data)
}

fn next(bytes: &mut BytesMut) -> Option<u8> {
    let byte = *bytes.first()?;
    bytes.advance(1);
    Some(byte)
}

impl Chunked {
    fn step(&mut self, bytes: &mut BytesMut) -> Result<Step, Flaw> {
        loop {
            match self.place {
                Place::Data => {
                    let data = data(bytes, &mut self.left);
                    if self.left == 0 {
                        self.place = Place::DataCr;
                    }
                    return Ok(data);
                }
                Place::End => return self.end(),
                Place::Line | Place::LineLf | Place::LastLf => {
                    let Some(byte) = next(bytes) else {
                        return Ok(Step::More);
                    };
                    self.place = self.after_trailing(byte)?;
                }
                Place::FirstDigit
                | Place::Digit
                | Place::AfterSize
                | Place::Extension
                | Place::SizeLf
                | Place::DataCr
                | Place::DataLf => {
                    let Some(byte) = next(bytes) else {
                        return Ok(Step::More);
                    };
                    self.place = self.after(byte)?;
                }
            }
        }
    }

    /// Where the reader is after `byte` of a chunk's first line or of what ends its data.
    fn after(&mut self, byte: u8) -> Result<Place, Flaw> {
        match (self.place, byte) {
            (Place::FirstDigit | Place::Digit, _) if byte.is_ascii_hexdigit() => {
                self.digit(byte)?;
                Ok(Place::Digit)
            }
            (Place::Digit | Place::AfterSize, b' ' | b'\t') => Ok(Place::AfterSize),
            (Place::Digit | Place::AfterSize, b';') => Ok(Place::Extension),
            (Place::Digit | Place::AfterSize | Place::Extension, b'\r') => Ok(Place::SizeLf),
            // Some take a line for ended here, so that the rest would be another one to them.
            (Place::Extension, b'\n') => Err("a chunk's extension has a bare line feed in it"),
            (Place::Extension, _) => {
                self.extensions += 1;
                if self.extensions >= MAX_EXTENSIONS {
                    return Err("the extensions of the chunks are too long");
                }
                Ok(Place::Extension)
            }
            (Place::SizeLf, b'\n') if self.left == 0 => Ok(Place::Line),
            (Place::SizeLf, b'\n') => Ok(Place::Data),
            (Place::DataCr, b'\r') => Ok(Place::DataLf),
            (Place::DataLf, b'\n') => Ok(Place::FirstDigit),
            _ => Err("a chunk is not framed as one"),
        }
    }

    fn digit(&mut self, byte: u8) -> Result<(), Flaw> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            _ => (byte | 0x20) - b'a' + 10,
        };
        let size = self.left.checked_mul(16);
        let size = size.and_then(|size| size.checked_add(u64::from(digit)));
        self.left = size.ok_or("a chunk is too long")?;
        Ok(())
    }

    /// Where the reader is after `byte` of the trailer section, which goes on up to an empty line.
    fn after_trailing(&mut self, byte: u8) -> Result<Place, Flaw> {
        self.trailers.push(byte);
        if self.trailers.len() >= MAX_TRAILERS {
            return Err("the trailers are too long");
        }
        match (self.place, byte) {
            (Place::Line, b'\r') if self.trailers.len() == 1 => Ok(Place::LastLf),
            (Place::Line, b'\r') if self.trailers.ends_with(b"\n\r") => Ok(Place::LastLf),
            (Place::Line, b'\r') => Ok(Place::LineLf),
            // Stricter than hyper, which takes a line for ended here.
            (Place::Line, b'\n') => Err("the trailers have a bare line feed in them"),
            (Place::Line, _) | (Place::LineLf, b'\n') => Ok(Place::Line),
            (Place::LastLf, b'\n') => Ok(Place::End),
            _ => Err("the trailers do not end in lines"),
        }
    }

    /// The body is over, and this is its last part.
    fn end(&mut self) -> Result<Step, Flaw> {
        match std::mem::take(&mut self.trailers).as_slice() {
            [] | b"\r\n" => Ok(Step::End),
            section => trailers(section).map(Step::Trailers),
        }
    }
}
