//! The protocol's types, made by Rust alone: no protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = protox::compile(["plugin.proto"], ["proto"])?;
    tonic_prost_build::configure().bytes(".plugin.File").compile_fds(files)?;
    Ok(())
}
