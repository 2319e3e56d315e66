export {
  type JuiceHost,
  type JuiceOptions,
  type JuiceVolume,
  startJuiceVolume,
  whyNoJuiceVolume,
} from './juice-volume.ts';
export {
  canMount,
  type FilesystemType,
  mountFilesystem,
  type MountedFilesystem,
  mountReadOnly,
  mountView,
  type MountOptions,
} from './mount-filesystem.ts';
export type { SimulatedHost } from './simulated-host.ts';
export { hasProgram, missingSystemPackages } from '../system-packages.js';
