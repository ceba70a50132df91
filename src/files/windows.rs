//! Windows: opening without surprises, and telling files apart.

use std::{
    fs::{File, Metadata, OpenOptions},
    io,
    os::windows::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

/// From `winnt.h`: a link, a mount point, or another thing that stands for something else.
const FILE_ATTRIBUTE_REPARSE_POINT: u32 = 0x400;
/// From `winbase.h`: open that thing itself.
const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;

/// Opens for reading; does not follow a link. Others may write, rename and delete it meanwhile.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path)?;
    if file.metadata()?.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(file)
}

/// Never said: who may read a file stands in its access control list, which is not looked at.
#[cfg(any(feature = "tls", feature = "users"))]
pub(crate) fn is_readable_by_all(_: &Metadata) -> bool {
    false
}

/// What changes when a file changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    created: u64,
    written: u64,
    size: u64,
    attributes: u32,
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            created: metadata.creation_time(),
            written: metadata.last_write_time(),
            size: metadata.file_size(),
            attributes: metadata.file_attributes(),
        }
    }

    /// Whether it is the same file with the same content, as far as its time tells.
    pub(crate) fn is_same_content(&self, other: &Self) -> bool {
        self.is_same_file(other) && (self.size, self.written) == (other.size, other.written)
    }

    /// Whether it is the same file or folder, however changed.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        self.created == other.created
    }
}
