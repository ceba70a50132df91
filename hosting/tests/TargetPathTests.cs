using System.IO;
using System.Text;
using Ancm.Hosting.Http;

namespace Ancm.Hosting.Tests
{
    internal static class TargetPathTests
    {
        public static void PathIsDecodedAsKestrelDoes()
        {
            foreach (var (path, expected) in new[]
            {
                ("", "/"),
                ("/", "/"),
                ("/a/b", "/a/b"),
                ("/%41", "/A"),
                ("/a%20b", "/a b"),
                ("/a%2Fb%2fc", "/a%2Fb%2fc"),
                ("/%25", "/%"),
                ("/%", "/%"),
                ("/%4", "/%4"),
                ("/%zz%41", "/%zzA"),
                ("/%C3%A9", "/é"),
                ("/%E2%82%AC", "/€"),
                ("/%F0%9F%98%80", "/😀"),
                // No UTF-8: a lone continuation, an overlong slash, a surrogate, one too short.
                ("/%80", "/%80"),
                ("/%C0%AF", "/%C0%AF"),
                ("/%ED%A0%80", "/%ED%A0%80"),
                ("/%E2%82", "/%E2%82"),
                ("/%C3%28", "/%C3("),
                ("/%C3%2F", "/%C3%2F"),
                // Dot segments, after decoding.
                ("/a/./b", "/a/b"),
                ("/a/../b", "/b"),
                ("/a/..", "/"),
                ("/a/.", "/a/"),
                ("/..", "/"),
                ("/../../a", "/a"),
                ("/a//../b", "/a/b"),
                ("/%2e%2e/a", "/a"),
                ("/a/%2E/b", "/a/b"),
                ("/a..b/.c/..d", "/a..b/.c/..d"),
                ("/a/...", "/a/..."),
            })
            {
                Check.Equal(expected, TargetPath.Decode(Encoding.ASCII.GetBytes(path)), path);
            }
        }

        public static void LongPathIsDecoded()
        {
            var long1 = new string('x', 3000);
            Check.Equal("/" + long1 + "/A", TargetPath.Decode(Encoding.ASCII.GetBytes("/" + long1 + "/b/../%41")));
        }

        public static void PathThatKestrelRefusesIsRefused()
        {
            Check.Throws<IOException>(() => TargetPath.Decode(Encoding.ASCII.GetBytes("/a%00")));
            Check.Throws<IOException>(() => TargetPath.Decode(new byte[] { (byte)'/', 0xE9 }));
        }
    }
}
