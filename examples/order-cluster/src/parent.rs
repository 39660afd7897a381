use std::io;
use std::process;
use std::thread;

/// Ends this process at once when its standard input ends. Whoever started it holds the other end
/// of the pipe, so that it does not outlive them, however they end.
pub(crate) fn end_with_parent() -> io::Result<()> {
    let watch = || {
        // Nobody writes there; what matters is the end, of whatever kind.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        process::exit(1);
    };
    thread::Builder::new().name("with-parent".to_owned()).spawn(watch).map(drop)
}
