"""Movements of money: sales, freight, service costs."""
