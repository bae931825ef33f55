"""The simulation: that it keeps its promises about the promises, and finds planted bugs."""
