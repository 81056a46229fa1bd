//! Room for many connections: each takes a file descriptor.

/// What a process has open besides.
const OTHERS: u64 = 64;

/// Raises the soft limit of the process, as far as the hard one allows, until so many connections
/// fit.
pub(crate) fn make_room(connections: usize) -> Result<(), String> {
    let wanted = connections as u64 + OTHERS;
    let limit = rlimit::increase_nofile_limit(wanted).map_err(|error| error.to_string())?;
    if limit < wanted {
        return Err(format!(
            "{connections} connections take {wanted} file descriptors, and the limit is {limit} \
             (`ulimit -Hn`)"
        ));
    }
    Ok(())
}
