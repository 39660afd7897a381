//! Tests of the test kit.

mod crash_states;
mod disk_contract;
mod disk_crashes;
mod disk_faults;
mod failures;
mod given_when_then;
mod machines;
mod network;
mod network_faults;
mod network_traces;
mod orders;
mod pause;
mod segments;
mod traces;
mod virtual_host;
