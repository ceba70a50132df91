//! A chunked body (RFC 9112, 7.1), byte by byte, as hyper's decoder takes it.

/// Where in a chunked body the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// At the first digit of a chunk's size.
    Start,
    /// In the size, which is this much so far.
    Size(u64),
    /// In blanks after the size.
    Blank(u64),
    /// In an extension, which goes to the CR.
    Extension(u64),
    /// At the LF that ends the size's line.
    SizeLf(u64),
    /// In the data, of which so much is left.
    Data(u64),
    DataCr,
    DataLf,
    /// At the start of a trailer's line, or of the empty one that ends the body.
    Last,
    /// In a trailer, which goes to the CR: an LF within is for hyper's parser to judge.
    Trailer,
    TrailerLf,
    /// At the LF of the empty line.
    LastLf,
    /// Behind the body.
    End,
}

impl Chunk {
    /// In data of which so much is left, or behind it.
    pub(super) fn data(left: u64) -> Self {
        match left {
            0 => Self::DataCr,
            left => Self::Data(left),
        }
    }

    /// The place behind `byte`, or `None` where hyper gives up.
    pub(super) fn then(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Start, _) => Self::Size(digit(byte)?),
            (Self::Size(size) | Self::Blank(size), b'\t' | b' ') => Self::Blank(size),
            (Self::Size(size) | Self::Blank(size), b';') => Self::Extension(size),
            (Self::Size(size) | Self::Blank(size) | Self::Extension(size), b'\r') => {
                Self::SizeLf(size)
            }
            (Self::Size(size), _) => Self::Size(size.checked_mul(16)? | digit(byte)?),
            (Self::Extension(_), b'\n') => return None,
            (Self::Extension(size), _) => Self::Extension(size),
            (Self::SizeLf(0), b'\n') => Self::Last,
            (Self::SizeLf(size), b'\n') => Self::Data(size),
            (Self::Data(left), _) => Self::data(left.saturating_sub(1)),
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::Start,
            (Self::Last, b'\r') => Self::LastLf,
            (Self::Trailer, b'\r') => Self::TrailerLf,
            (Self::Last | Self::Trailer, _) => Self::Trailer,
            (Self::TrailerLf, b'\n') => Self::Last,
            (Self::LastLf, b'\n') | (Self::End, _) => Self::End,
            (
                Self::Blank(_)
                | Self::SizeLf(_)
                | Self::DataCr
                | Self::DataLf
                | Self::TrailerLf
                | Self::LastLf,
                _,
            ) => return None,
        })
    }
}

fn digit(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}
