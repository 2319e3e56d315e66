export type { Profile } from './check.ts';
export { CHECKS } from './checks/all.ts';
export {
  runConformance,
  type CheckFailure,
  type CheckResult,
  type ConformanceEvent,
  type ConformanceOptions,
  type ConformanceReport,
  ProgramUnusableError,
  UnknownCheckError,
} from './run-conformance.ts';
