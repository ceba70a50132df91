namespace Ancm.Hosting.Http
{
    /// <summary>Numbers as 13 digits and letters, as the ids of connections are in Kestrel's logs.</summary>
    internal static class Base32
    {
        private const string Digits = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
        private const int Length = 13;

        public static string Text(ulong number) => string.Create(Length, number, (text, rest) =>
        {
            for (var index = text.Length - 1; index >= 0; index--)
            {
                text[index] = Digits[(int)(rest & 31)];
                rest >>= 5;
            }
        });
    }
}
