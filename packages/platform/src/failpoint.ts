/**
 * Named steps at which a test lets the process die, stop or fail. A name is area and step, as in `publish:commit`, and
 * the call stands right after the step it names. Costs one comparison while nothing is armed.
 */
let armed: { name: string; act: () => void } | undefined;

/** Makes the next and every later pass through `name` call `act`, which may kill, stop, or throw. */
export function armFailpoint(name: string, act: () => void): void {
  armed = { name, act };
}

export function disarmFailpoint(): void {
  armed = undefined;
}

/** Marks that the step `name` has just been done. */
export function failpoint(name: string): void {
  if (armed !== undefined && armed.name === name) armed.act();
}
