using System.Globalization;

namespace Ancm.Hosting.Http
{
    /// <summary>Numbers as text. Small ones, which most lengths are, are written once.</summary>
    internal static class Decimal
    {
        private static readonly string?[] _small = new string?[4096];

        public static string Text(long number)
        {
            if ((ulong)number >= (ulong)_small.Length)
            {
                return number.ToString(CultureInfo.InvariantCulture);
            }
            // Two threads may both write it: the same text.
            return _small[number] ??= number.ToString(CultureInfo.InvariantCulture);
        }
    }
}
