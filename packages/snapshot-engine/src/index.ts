export { checkEngineName, chooseEngine, type EngineChoice } from './choose-engine.ts';
export { cloneAndRead, type CloneAndReadOptions, type ClonedTree, updateClone } from './clone-and-read.ts';
export { countCloned } from './count-cloned.ts';
export { copyEngine } from './copy-engine.ts';
export { EngineUnavailableError } from './engine-unavailable-error.ts';
export { reflinkEngine } from './reflink-engine.ts';
export {
  type ClonedPart,
  type CloneOptions,
  type Degradation,
  ENGINE_NAMES,
  type EngineName,
  type SnapshotEngine,
} from './snapshot-engine.ts';
export { stalePaths } from './stale-paths.ts';
