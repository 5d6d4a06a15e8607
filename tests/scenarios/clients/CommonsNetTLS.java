import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import org.apache.commons.net.ftp.FTP;
import org.apache.commons.net.ftp.FTPFile;
import org.apache.commons.net.ftp.FTPSClient;
import org.apache.commons.net.util.TrustManagerUtils;

/** Files there and back under TLS: java CommonsNetTLS host port implicit directory. */
public class CommonsNetTLS {
    public static void main(String[] words) throws Exception {
        FTPSClient ftp = new FTPSClient("TLS", Boolean.parseBoolean(words[2]));
        ftp.setTrustManager(TrustManagerUtils.getAcceptAllTrustManager());
        ftp.setConnectTimeout(20_000);
        ftp.setDefaultTimeout(20_000);
        ftp.connect(words[0], Integer.parseInt(words[1]));
        must(ftp, ftp.login("demo", "demo"), "login");
        ftp.execPBSZ(0);
        ftp.execPROT("P");
        must(ftp, ftp.setFileType(FTP.BINARY_FILE_TYPE), "type");
        ftp.enterLocalPassiveMode();
        for (File file : new File(".").listFiles()) {
            try (InputStream in = new FileInputStream(file)) {
                must(ftp, ftp.storeFile(file.getName(), in), file.getName());
            }
        }
        for (FTPFile file : ftp.mlistDir()) {
            if (file.isFile()) {
                try (OutputStream out = new FileOutputStream(new File(words[3], file.getName()))) {
                    must(ftp, ftp.retrieveFile(file.getName(), out), file.getName());
                }
            }
        }
        must(ftp, ftp.logout(), "logout");
        ftp.disconnect();
    }

    private static void must(FTPSClient ftp, boolean true_, String what) throws IOException {
        if (!true_) {
            throw new IOException(what + ": " + ftp.getReplyString());
        }
    }
}
