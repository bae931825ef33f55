"""Tests of single modules: values, pure rules, and the promises of transport and ledger."""
