using System;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Ancm.Hosting.Abi
{
    /// <summary>
    /// Finds the native host of this process. Apart from <see cref="Native"/>, since it also serves when the versions
    /// don't agree: the head of the table never changes its place.
    /// </summary>
    internal static unsafe class NativeHost
    {
        /// <summary>The runtime property that holds the address of the table, in decimal.</summary>
        public const string Property = "ANCM_NATIVE_API";

        public static readonly NativeTable* Table = Find();

        /// <summary>Whether a native host started this process.</summary>
        public static bool IsPresent => Table != null;

        /// <summary>What is wrong where the two sides were not made for one another; else null.</summary>
        public static string? Mismatch()
        {
            if (Table->Version == NativeTable.CurrentVersion && Table->Size == sizeof(NativeTable))
            {
                return null;
            }
            return $"ABI version mismatch: the hosting assembly has version {NativeTable.CurrentVersion} " +
                $"({sizeof(NativeTable)} bytes), the native host version {Table->Version} ({Table->Size} bytes). " +
                "Use the assembly that was built with the host.";
        }

        /// <summary>Nothing can be said to a host that does not have the function.</summary>
        public static void MainFailed(string message, string detail)
        {
            var needed = (byte*)(&Table->MainFailed + 1) - (byte*)Table;
            if (Table->Size < needed)
            {
                Console.Error.WriteLine(detail);
                return;
            }
            var messageBytes = Encoding.UTF8.GetBytes(message);
            var detailBytes = Encoding.UTF8.GetBytes(detail);
            var function = Marshal.GetDelegateForFunctionPointer<Functions.MainFailed>(Table->MainFailed);
            fixed (byte* first = messageBytes)
            fixed (byte* second = detailBytes)
            {
                function(Table->Host, new Slice(first, messageBytes.Length), new Slice(second, detailBytes.Length));
            }
        }

        private static NativeTable* Find() =>
            AppContext.GetData(Property) is string address
                ? (NativeTable*)(IntPtr)long.Parse(address, NumberStyles.None, CultureInfo.InvariantCulture)
                : null;
    }
}
