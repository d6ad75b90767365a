"""The same graphs and steps behind other servers, and what people use today, for comparison."""
