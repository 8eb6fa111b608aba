"""Problems whose length is a dial, each one file: what is drawn, what it means, what chance alone reaches."""
