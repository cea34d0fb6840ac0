NO_PROGRAM = "the machine does not have the program that this example is for"
