"""Tests of single modules: values, pure rules, the transport's and the ledger's promises."""
