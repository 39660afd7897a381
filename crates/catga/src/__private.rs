//! Only for what the macros write; it may change with any version.
