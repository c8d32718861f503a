/** Says when its first line ran, on the clock that all processes of the machine share. */
export const handler = async () => ({ at: String(process.hrtime.bigint()) });
