export const fastApi: string[] | undefined = undefined
