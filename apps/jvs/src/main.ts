import { enableCompileCache } from '@jvs/cli-kit/compile-cache';

enableCompileCache();
const { main } = await import('./commands.ts');
await main();
