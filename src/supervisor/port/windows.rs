//! The listening sockets of the system: `GetExtendedTcpTable`.
#![allow(unsafe_code, reason = "the Windows API has no safe interface")]

use std::{
    io, mem,
    net::{Ipv4Addr, Ipv6Addr},
};

use windows_sys::Win32::{
    Foundation::{ERROR_INSUFFICIENT_BUFFER, NO_ERROR},
    NetworkManagement::IpHelper::{
        GetExtendedTcpTable, MIB_TCP6ROW_OWNER_PID, MIB_TCPROW_OWNER_PID,
        TCP_TABLE_OWNER_PID_LISTENER,
    },
    Networking::WinSock::{AF_INET, AF_INET6},
};

use super::receivers::Socket;

/// Who listens on `port`, or on any port for zero.
pub(super) fn listening(port: u16) -> io::Result<Vec<Socket>> {
    let v4 = rows::<MIB_TCPROW_OWNER_PID>(AF_INET)?;
    let v6 = rows::<MIB_TCP6ROW_OWNER_PID>(AF_INET6)?;
    let v4 = v4.iter().map(|row| Socket {
        address: Ipv4Addr::from(row.dwLocalAddr.to_ne_bytes()).into(),
        port: local_port(row.dwLocalPort),
        only_v6: false,
        owner: row.dwOwningPid.into(),
    });
    let v6 = v6.iter().map(|row| Socket {
        address: Ipv6Addr::from(row.ucLocalAddr).into(),
        port: local_port(row.dwLocalPort),
        // One that takes IPv4 too stands in both tables.
        only_v6: true,
        owner: row.dwOwningPid.into(),
    });
    let wanted = |socket: &Socket| port == 0 || socket.port == port;
    Ok(v4.chain(v6).filter(wanted).collect())
}

/// In the lower half, in network byte order; the upper half is not defined.
const fn local_port(port: u32) -> u16 {
    u16::from_be((port & 0xffff) as u16)
}

/// The rows of a table: a count in 32 bits, then the rows, which are aligned alike.
fn rows<Row: Copy>(family: u16) -> io::Result<Vec<Row>> {
    let table = table(family)?;
    let Some((&count, rows)) = table.split_first() else {
        return Ok(Vec::new());
    };
    let room = mem::size_of_val(rows) / mem::size_of::<Row>();
    let count = usize::try_from(count).unwrap_or(0).min(room);
    let first = rows.as_ptr().cast::<Row>();
    // SAFETY: so many rows of integers fit in the buffer, which the system wrote.
    Ok((0..count)
        .map(|index| unsafe { first.add(index).read_unaligned() })
        .collect())
}

/// It can grow between two calls: asked again until it fits.
fn table(family: u16) -> io::Result<Vec<u32>> {
    let mut table = vec![0_u32; 1024];
    loop {
        let mut size = u32::try_from(mem::size_of_val(&*table)).unwrap_or(u32::MAX);
        // SAFETY: the buffer is as large as it says.
        let result = unsafe {
            let (family, class) = (family.into(), TCP_TABLE_OWNER_PID_LISTENER);
            GetExtendedTcpTable(table.as_mut_ptr().cast(), &mut size, 0, family, class, 0)
        };
        match result {
            NO_ERROR => return Ok(table),
            ERROR_INSUFFICIENT_BUFFER => {
                let needed = usize::try_from(size).unwrap_or(0) / 4;
                table.resize(needed.max(table.len()) + 256, 0);
            }
            error => return Err(io::Error::from_raw_os_error(error.cast_signed())),
        }
    }
}
