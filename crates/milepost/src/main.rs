//! The program `milepost`.

fn main() -> std::process::ExitCode {
    milepost::app::main(std::env::args_os())
}
