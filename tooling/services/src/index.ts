export {
  canMount,
  type FilesystemType,
  mountFilesystem,
  type MountedFilesystem,
  mountReadOnly,
  mountView,
  type MountOptions,
} from './mount-filesystem.ts';
export { hasProgram, missingSystemPackages } from '../system-packages.js';
