"""What the pages share: charts, panels, words, number formats, session state and error display."""
