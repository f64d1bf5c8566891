//! The load tester as a process, against servers that are honest, broken, slow or none at all.

mod bad_input;
mod broken;
mod browser;
mod chaos;
mod gateway;
mod openly;
mod shop;
mod simulate;
mod tester;
