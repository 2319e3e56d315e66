export {
  canMount,
  type FilesystemType,
  mountFilesystem,
  type MountedFilesystem,
  type MountOptions,
} from './mount-filesystem.ts';
export { hasProgram, missingSystemPackages } from '../system-packages.js';
