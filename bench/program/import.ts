/** Imports the module named on the command line, and ends. */
await import(process.argv[2] ?? "")
process.exit(0)
