//! Boots, drives and observes one QEMU virtual machine
