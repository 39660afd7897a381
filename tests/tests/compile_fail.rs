//! What the compiler says of each mistake that we can name, and programs that have none.
//!
//! `TRYBUILD=overwrite cargo test -p catga-tests --test compile_fail` writes the texts anew; read
//! the difference before you keep it. The texts belong to the compiler named in `rust-version`.

#[test]
fn mistakes_are_told_and_programs_without_them_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("ui/fail/*.rs");
    cases.pass("ui/pass/*.rs");
}
