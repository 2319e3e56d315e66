// Loaded before jvs, puts its wall clock back: what it makes is older than what garbage collection spares.
const systemNow = Date.now;
const AGE_MS = 9 * 24 * 3600 * 1000;

Date.now = () => systemNow() - AGE_MS;
