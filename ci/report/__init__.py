"""Verdicts and deliveries as pages and JUnit XML. No comparison is made here."""
