//! The program `pillarbox`: everything is in the library, this only starts it.

use std::process::ExitCode;

fn main() -> ExitCode {
    pillarbox::cli::main()
}
