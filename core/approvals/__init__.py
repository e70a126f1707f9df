"""Approvals that tire nobody: rules decide what is asked at all, and a question is about exactly one act."""
