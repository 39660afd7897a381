//! Histories of a service that keeps every promise, and what each checker says of them; then the
//! same with one thing wrong, and who must notice.

#[path = "shop/planted.rs"]
mod planted;
#[path = "shop/program.rs"]
mod program;
#[path = "shop/restored.rs"]
mod restored;
#[path = "shop/service.rs"]
mod service;
#[path = "shop/valid.rs"]
mod valid;
