/** Loads a contender with Effect's schema compiler, which has to be there before the first schema is made. */
export const compiled = async <Module>(
  load: () => Promise<Module>
): Promise<Module> => {
  await import("effect/schema/SchemaJITCompiler/enable")
  return load()
}
