"""The payment page a person can use, and the script that frames it in a merchant's own page."""
