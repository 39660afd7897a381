//! Tests of the test kit.

mod crash_states;
mod disk_contract;
mod disk_crashes;
mod disk_faults;
mod failures;
mod given_when_then;
mod orders;
mod segments;
mod traces;
mod virtual_host;
